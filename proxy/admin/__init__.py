"""What operators see: the access log; later metrics, the control socket and the dashboard."""
