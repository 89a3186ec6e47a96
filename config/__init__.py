"""What did the operator choose?"""
