variable "public_key" {
  description = "Your public ssh key (the text of ~/.ssh/id_ed25519.pub)."
  type        = string
}

variable "ssh_from" {
  description = "Who may reach ssh: your own address, such as 203.0.113.7/32."
  type        = string
}

variable "instance_type" {
  description = "Kind of machine in every region."
  type        = string
  default     = "t3.small"
}
