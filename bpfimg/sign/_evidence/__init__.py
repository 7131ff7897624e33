"""What makes evidence believed, against a trusted root and without a network: certificates, logs, timestamps."""
