# One machine of a region, reachable by ssh from you and by Bellini's ports from everywhere.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" {
  type = string
}

variable "public_key" {
  type = string
}

variable "ssh_from" {
  type = string
}

variable "instance_type" {
  type = string
}

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"] # Debian
  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

resource "aws_key_pair" "user" {
  key_name_prefix = "bellini-"
  public_key      = var.public_key
}

resource "aws_security_group" "node" {
  name_prefix = "bellini-"
  description = "Bellini node"

  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = [var.ssh_from]
  }
  ingress {
    description = "data and control hops"
    from_port   = 4700
    to_port     = 4701
    protocol    = "udp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    description = "stream hops"
    from_port   = 4700
    to_port     = 4700
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "node" {
  ami                         = data.aws_ami.debian.id
  instance_type               = var.instance_type
  key_name                    = aws_key_pair.user.key_name
  vpc_security_group_ids      = [aws_security_group.node.id]
  associate_public_ip_address = true
  user_data                   = "#!/bin/sh\nsysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608\n"
  tags = {
    Name = "bellini-${var.name}"
  }
}

output "address" {
  value = aws_instance.node.public_ip
}
