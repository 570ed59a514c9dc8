"""Files that people have of their servers: CSV, Excel, Ansible inventories, known_hosts."""
