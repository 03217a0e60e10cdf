"""What keeps a cell going for years: backups, bundles for support, and a look at the computer it runs on."""
