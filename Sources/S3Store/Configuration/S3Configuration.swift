/// Which side checks that the bytes of a part have the digest that the agent has announced.
package enum PartVerification: String, CaseIterable, Hashable, Sendable {
    /// The gateway checks, unless the probe at the start showed that the store itself refuses a part with a wrong
    /// digest.
    case auto
    /// The gateway always checks.
    case always
    /// The gateway never checks, because the operator relies on the store's check.
    case store
}

/// All settings of an S3 store.
package struct S3Configuration: Sendable {
    package var bucket: String
    /// Prefix of every key: empty, or ending in a slash.
    package var prefix: String
    package var endpoint: S3Endpoint
    /// The region to try first. If the store names another region, the client switches once.
    package var region: String
    package var addressing: S3Addressing
    package var verification: PartVerification
    package var provider: S3Provider
    /// The authorities that the store's certificate must come from; `nil` for the authorities of the system.
    package var authorities: S3Authorities?
    /// The proxies for requests to the store.
    package var proxies = ProxySettings.none
    package var timeouts = S3Timeouts()
    package var retries = S3RetryPolicy()

    /// - Parameters:
    ///   - bucket: name of the bucket, as `StoreLocation` parses it.
    ///   - prefix: prefix of every key, as `StoreLocation` parses it.
    ///   - endpoint: `http://host:port` or `https://host/path`, or `nil` for AWS.
    ///   - region: `nil` for the region in the endpoint's host name, else `usualRegion`, else the provider's default.
    ///   - addressing: `nil` for the provider's default.
    ///   - provider: `nil` for the provider that the endpoint's host belongs to.
    ///   - usualRegion: the region in AWS's environment variables and files. It applies only to AWS and to providers
    ///     with the same default region.
    ///   - authorities: the authorities that the store's certificate must come from; `nil` for the authorities of the
    ///     system.
    package init(
        bucket: String, prefix: String = "", endpoint: String? = nil, region: String? = nil,
        addressing: S3Addressing? = nil, verification: PartVerification = .auto, provider: S3Provider? = nil,
        usualRegion: String? = nil, authorities: S3Authorities? = nil
    ) throws(S3ConfigurationError) {
        for region in [region, usualRegion].compactMap({ $0 }) where !S3Endpoint.isRegion(region) {
            throw S3ConfigurationError("a region may have only small letters, digits and hyphens")
        }
        let parsed: S3Endpoint
        if let endpoint {
            parsed = try S3Endpoint(parsing: endpoint)
        } else {
            parsed = .aws(region: region ?? usualRegion ?? S3Provider.aws.defaultRegion)
        }
        guard authorities == nil || parsed.isSecure else {
            throw S3ConfigurationError("--s3-ca is for endpoints that begin with https://")
        }
        let known = parsed.region ?? region ?? usualRegion ?? S3Provider.aws.defaultRegion
        let provider = provider ?? S3Provider.of(host: parsed.hostName(region: known))
        self.bucket = bucket
        self.prefix = prefix
        self.endpoint = parsed
        // Some stores have one region with a name of their own, such as `auto`. For these stores the region in AWS's
        // environment variables and files would be wrong.
        let usual = provider.defaultRegion == S3Provider.aws.defaultRegion ? usualRegion : nil
        self.region = region ?? parsed.region ?? usual ?? provider.defaultRegion
        self.authorities = authorities
        self.addressing = addressing ?? provider.addressing
        // A store that names buckets in the path decides itself which names it takes.
        guard !parsed.isInHostName(bucket, self.addressing) || S3BucketName.isHostName(bucket) else {
            throw S3ConfigurationError("the bucket \(bucket) cannot be part of a host name: \(S3BucketName.rule)")
        }
        self.verification = verification
        self.provider = provider
    }
}

/// Time limits for connecting to a store and for pauses in the exchange with it.
package struct S3Timeouts: Hashable, Sendable {
    package var connect = Duration.seconds(10)
    /// Time limit from the end of a request to the beginning of its answer, and between two pieces of an answer.
    package var answer = Duration.seconds(60)
    /// The time limit that replaces `answer` in CompleteMultipartUpload. A store may join all parts before it sends the
    /// first byte of its answer, which can take minutes.
    package var completion = Duration.seconds(600)
    /// Longest pause within a request's body, whether the gateway has no bytes to send or the store accepts none.
    package var bodyPause = Duration.seconds(60)

    package init() {}
}

/// How often and after which delay the client repeats a failed request, if that request may be repeated.
package struct S3RetryPolicy: Hashable, Sendable {
    /// Maximum number of attempts, including the first.
    package var attemptsMax = 4
    /// Upper bound of the random delay before the second attempt. The bound doubles before each further attempt, up to
    /// `delayMax`.
    package var delayFirst = Duration.milliseconds(200)
    /// Largest value of that upper bound. If a store asks for a longer pause than this, the client does not repeat the
    /// request. It throws the error, and its caller waits.
    package var delayMax = Duration.seconds(3)
    /// Budget for repetitions. All calls of a store share it.
    var budget = S3RetryBudget()

    package init() {}

    /// The random delay after an attempt failed. The number of the first attempt is 1.
    func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let longest = min(delayMax, delayFirst * (1 << min(max(attempt - 1, 0), 16)))
        return longest * Double.random(in: 0...1, using: &generator)
    }
}
