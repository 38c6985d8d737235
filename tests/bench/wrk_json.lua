-- What wrk has measured, as one line of JSON behind its own report.
function done(summary, latency)
    local e = summary.errors
    print(string.format('{"answers":%d,"errors":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f}',
        summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
