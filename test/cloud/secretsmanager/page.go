package secretsmanager

// page is where a NextToken goes on.
type page struct{ from int }

const maxPage = 100

// paginate cuts a list of total entries: the bounds of the page, and the token
// of the next one, "" for the last.
func (s *Service) paginate(token string, limit, total, most int) (from, to int, next string, err error) {
	if limit > most { // a batch: the model has another limit there
		return 0, 0, "", fail("ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to %d", limit, most)
	}
	if limit == 0 {
		limit = most
	}
	if token != "" {
		p, known := s.pages[token]
		if !known {
			return 0, 0, "", fail("InvalidNextTokenException", "The NextToken value is invalid.")
		}
		from = p.from
	}
	from = min(from, total)
	to = min(from+limit, total)
	if to < total {
		next = s.pick(32, letters)
		s.pages[next] = page{from: to}
	}
	return from, to, next, nil
}
