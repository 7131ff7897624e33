"""(room bytecode)"""
