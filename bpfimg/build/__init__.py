"""(room build)"""
