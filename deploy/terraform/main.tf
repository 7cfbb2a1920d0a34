# One machine in each of the seven regions that EC2 had in 2013, the shipped topology `aws-2013`.

provider "aws" {
  alias  = "virginia"
  region = "us-east-1"
}

provider "aws" {
  alias  = "california"
  region = "us-west-1"
}

provider "aws" {
  alias  = "oregon"
  region = "us-west-2"
}

provider "aws" {
  alias  = "ireland"
  region = "eu-west-1"
}

provider "aws" {
  alias  = "singapore"
  region = "ap-southeast-1"
}

provider "aws" {
  alias  = "tokyo"
  region = "ap-northeast-1"
}

provider "aws" {
  alias  = "saopaulo"
  region = "sa-east-1"
}

module "virginia" {
  source        = "./region"
  providers     = { aws = aws.virginia }
  name          = "virginia"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "california" {
  source        = "./region"
  providers     = { aws = aws.california }
  name          = "california"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "oregon" {
  source        = "./region"
  providers     = { aws = aws.oregon }
  name          = "oregon"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "ireland" {
  source        = "./region"
  providers     = { aws = aws.ireland }
  name          = "ireland"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "singapore" {
  source        = "./region"
  providers     = { aws = aws.singapore }
  name          = "singapore"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "tokyo" {
  source        = "./region"
  providers     = { aws = aws.tokyo }
  name          = "tokyo"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}

module "saopaulo" {
  source        = "./region"
  providers     = { aws = aws.saopaulo }
  name          = "saopaulo"
  public_key    = var.public_key
  ssh_from      = var.ssh_from
  instance_type = var.instance_type
}
