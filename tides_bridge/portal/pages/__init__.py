"""The pages of the portal: a module each, with a `router_of` that says under which addresses it answers."""
