-- $1 horizon in ms: from here on a person looks at them; they are still applied if their key comes
UPDATE parked SET given_up_at = now() WHERE given_up_at IS NULL AND parked_at <= now() - $1 * interval '1 millisecond'
