"""(room inspect)"""
