SELECT set_config('smschain.role', $1::text, false), set_config('smschain.user', $2::text, false),
       set_config('smschain.verifier', coalesce($3::text, ''), false)
