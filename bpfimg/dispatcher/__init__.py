"""(room dispatcher)"""
