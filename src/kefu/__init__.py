"""Kefu (客服): a customer-service performance warehouse."""
