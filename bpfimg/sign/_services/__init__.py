"""Services that a signer asks over the network: identities, certificates, logs, timestamps. Nothing here verifies."""
