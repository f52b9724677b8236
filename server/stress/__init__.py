"""Stress from heart rate, skin temperature and EDA: windows per wearer, a running baseline, small trees, alerts."""
