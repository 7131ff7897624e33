"""(hall)"""
