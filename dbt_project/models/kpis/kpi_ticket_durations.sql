-- What took how long in the life of a ticket; booked like kpi_tickets_daily, on the day it ended and to the team that
-- had the ticket then.
{{ kf_ticket_durations() }}
