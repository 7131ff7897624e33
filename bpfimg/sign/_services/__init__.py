"""Services that a signer asks over the network: identities, certificates, logs, timestamps. `_evidence` judges them."""
