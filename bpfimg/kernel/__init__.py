"""(room kernel)"""
