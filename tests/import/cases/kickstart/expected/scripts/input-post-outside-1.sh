#!/usr/bin/python3
print("outside")
