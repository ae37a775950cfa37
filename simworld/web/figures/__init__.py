"""Figures as inline SVG: functions of numbers, coloured by the stylesheet, so that light, dark and
print all fit.
"""
