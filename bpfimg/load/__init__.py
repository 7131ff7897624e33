"""(room load)"""
