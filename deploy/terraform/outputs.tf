# `terraform output -json > hosts.json`, and `bellini live SCENARIO --hosts hosts.json` knows the machines: each key is a
# node's name in the scenario.
output "bellini_hosts" {
  description = "The nodes of a Bellini hosts file."
  value = {
    virginia   = { ssh = "admin@${module.virginia.address}", address = module.virginia.address }
    california = { ssh = "admin@${module.california.address}", address = module.california.address }
    oregon     = { ssh = "admin@${module.oregon.address}", address = module.oregon.address }
    ireland    = { ssh = "admin@${module.ireland.address}", address = module.ireland.address }
    singapore  = { ssh = "admin@${module.singapore.address}", address = module.singapore.address }
    tokyo      = { ssh = "admin@${module.tokyo.address}", address = module.tokyo.address }
    saopaulo   = { ssh = "admin@${module.saopaulo.address}", address = module.saopaulo.address }
  }
}
