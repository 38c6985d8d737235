int answer()
{
    // [answer]
    return 42;
    // [/answer]
}
