"""The contracts: what flows on each topic, one file per domain, and the catalogue of all of them."""
