"""(room oci)"""
