"""(roof)"""
