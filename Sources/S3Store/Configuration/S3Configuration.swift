/// Who checks that the bytes of a part have the offered digest.
package enum PartVerification: String, CaseIterable, Hashable, Sendable {
    /// The store, if it refused a wrong part when it was probed at the start; otherwise the gateway.
    case auto
    /// Always the gateway.
    case always
    /// Only the store, because the operator says so.
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
    /// The trusted authorities; `nil` for the system's.
    package var authorities: S3Authorities?
    package var timeouts = S3Timeouts()
    package var retries = S3RetryPolicy()

    /// - Parameters:
    ///   - bucket: as in `StoreLocation`.
    ///   - prefix: as in `StoreLocation`.
    ///   - endpoint: `http://host:port`, or `nil` for AWS.
    ///   - region: `nil` for the region of the endpoint or of the provider.
    ///   - addressing: `nil` for the provider's default.
    ///   - provider: `nil` for the provider that the endpoint's host belongs to.
    ///   - usualRegion: the region of AWS's variables and files, used if the other settings give none.
    ///   - authorities: the authorities that may sign the store's certificate; `nil` for the system's.
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
        // If the provider has a region name of its own, the region of AWS's variables and files does not apply to it.
        let usual = provider.defaultRegion == S3Provider.aws.defaultRegion ? usualRegion : nil
        self.region = region ?? parsed.region ?? usual ?? provider.defaultRegion
        self.authorities = authorities
        self.addressing = addressing ?? provider.addressing
        self.verification = verification
        self.provider = provider
    }
}

/// Time limits for pauses in the exchange with a store.
package struct S3Timeouts: Hashable, Sendable {
    package var connect = Duration.seconds(10)
    /// From the end of a request to its answer, and between the pieces of an answer.
    package var answer = Duration.seconds(60)
    /// From the end of a request that completes an upload to its answer: stores join the parts before they send the
    /// first byte.
    package var completion = Duration.seconds(600)
    /// Between two pieces of a body on its way to the store, whether the store or the source of the body is slow.
    /// Stores drop a request after about 20 seconds without a byte.
    package var bodyPause = Duration.seconds(60)

    package init() {}
}

/// How often, and after which delays, the client repeats a request that is safe to repeat.
package struct S3RetryPolicy: Hashable, Sendable {
    /// Most attempts, including the first.
    package var attemptsMax = 4
    /// Longest delay before the second attempt. The limit doubles with each further attempt; the actual delay is
    /// random.
    package var delayFirst = Duration.milliseconds(200)
    /// Upper bound of a delay, however many attempts have failed. If a store asks for a longer pause, the client does
    /// not wait: the call fails, and the caller waits.
    package var delayMax = Duration.seconds(3)
    /// Budget that all calls share.
    var budget = S3RetryBudget()

    package init() {}

    /// Random delay after the given attempt; the first attempt is 1.
    func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let longest = min(delayMax, delayFirst * (1 << min(max(attempt - 1, 0), 16)))
        return longest * Double.random(in: 0...1, using: &generator)
    }
}
