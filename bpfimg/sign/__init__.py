"""(room sign)"""
