"""Action unit models: the network, its settings and files, running it, exchanging it. Start: `zoo`."""
