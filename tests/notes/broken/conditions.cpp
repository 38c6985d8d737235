// What conditions.js must find: the lines marked "bare", and no other. Never compiled.
// clang-format off
awaitable<void> wrong(channel& channel)
{
    while (co_await channel.receive()) { // bare
    }
    if (co_await channel.receive()) // bare
        use();
    if (!(co_await channel.receive()).has_value()) // bare
        use();
    if (ready && // bare
        co_await channel.receive())
        use();
    while ( // bare
        co_await // a comment between them
        channel.receive())
        use();
    for (int i = 0; co_await channel.receive(); ++i) // bare
        use();
    do {
        use();
    } while (co_await channel.receive()); // bare
    switch ((co_await channel.receive())->body.size()) { // bare
    }
    if (const int known = 1'000; co_await channel.receive()) // bare
        use();
    std::optional<message> message;
    while ((message = co_await channel.receive())) // bare
        use();
    while (text == co_await next()) // bare
        use();
    if (const auto text = ")"; co_await channel.receive()) // bare
        use();
    while(co_await parent . receive ( ) ) use(); // bare
    while (co_await next_message{channel}) // bare
        use();
    if (not ready{co_await next()}) // bare
        use();
    if (!ready)
        use();
    else if (left <= co_await next()) // bare
        use();
    while (co_await channel.receive(), true) // bare
        use();
    if constexpr (sizeof(co_await f()) == 1) // bare
        use();
}

awaitable<void> right(channel& channel)
{
    while (auto message = co_await channel.receive())
        use();
    while (const std::optional<ipc::message> message =
               co_await channel.receive())
        use();
    if (auto message{co_await channel.receive()})
        use();
    if (const auto message = co_await channel.receive(); message && message->handle)
        use();
    for (auto message = co_await channel.receive(); message; message = co_await channel.receive())
        use();
    for (const auto& line : co_await lines())
        use();
    // while (co_await channel.receive())
    /* if (co_await channel.receive()) */
    say("while (co_await channel.receive())");
    say(R"(if (co_await channel.receive()) "quoted")");
    const bool more = (co_await channel.receive()).has_value();
    if (more)
        co_await channel.send("'");
    while (more)
        co_await channel.send('\'');
}
