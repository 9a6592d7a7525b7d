/// Who makes sure that the bytes of a part have the digest that was offered.
package enum PartVerification: String, CaseIterable, Hashable, Sendable {
    /// The gateway, unless the store was seen to refuse a wrong part when it was opened.
    case auto
    /// The gateway in any case.
    case always
    /// The store alone, on the operator's word.
    case store
}

/// All that an operator can say about an S3 store.
package struct S3Configuration: Sendable {
    package var bucket: String
    /// Before every key: empty, or ending in a slash.
    package var prefix: String
    package var endpoint: S3Endpoint
    /// The first guess; a store that names another one is believed once.
    package var region: String
    package var addressing: S3Addressing
    package var verification: PartVerification
    package var provider: S3Provider
    /// `nil` for the system's.
    package var authorities: S3Authorities?
    package var timeouts = S3Timeouts()
    package var retries = S3RetryPolicy()

    /// - Parameters:
    ///   - bucket: as `StoreLocation` gives it.
    ///   - prefix: likewise.
    ///   - endpoint: `http://host:port`, or `nil` for AWS.
    ///   - region: `nil` for the endpoint's or the provider's own.
    ///   - addressing: `nil` for the provider's own.
    ///   - provider: `nil` for the one that the endpoint's host tells.
    ///   - usualRegion: the one that AWS's variables and files name, for where nothing else does.
    ///   - authorities: who must have signed the store's certificate; `nil` for those that the system trusts.
    package init(
        bucket: String, prefix: String = "", endpoint: String? = nil, region: String? = nil,
        addressing: S3Addressing? = nil, verification: PartVerification = .auto, provider: S3Provider? = nil,
        usualRegion: String? = nil, authorities: S3Authorities? = nil
    ) throws(S3ConfigurationError) {
        for region in [region, usualRegion].compactMap({ $0 }) where !S3Endpoint.isRegion(region) {
            throw S3ConfigurationError("a region has small letters, digits and hyphens only")
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
        // A store that has one region and a name of its own for it is in none of AWS's.
        let usual = provider.defaultRegion == S3Provider.aws.defaultRegion ? usualRegion : nil
        self.region = region ?? parsed.region ?? usual ?? provider.defaultRegion
        self.authorities = authorities
        self.addressing = addressing ?? provider.addressing
        self.verification = verification
        self.provider = provider
    }
}

/// How long a store may be silent.
package struct S3Timeouts: Hashable, Sendable {
    package var connect = Duration.seconds(10)
    /// From the end of a request to its answer, and between the pieces of an answer.
    package var answer = Duration.seconds(60)
    /// The same for completing an upload, where stores join the parts before they say a word.
    package var completion = Duration.seconds(600)
    /// Between two pieces of a body on its way to the store, whichever side is at fault. Stores drop a request after
    /// about 20 seconds without a byte.
    package var bodyPause = Duration.seconds(60)

    package init() {}
}

/// How a request that may be repeated is repeated.
package struct S3RetryPolicy: Hashable, Sendable {
    /// The first one included.
    package var attemptsMax = 4
    /// Before the second attempt; twice as long before each further one, and each time a random share of it.
    package var delayFirst = Duration.milliseconds(200)
    /// A store that asks for a longer pause gets it from the caller, not here.
    package var delayMax = Duration.seconds(3)
    /// Shared by all calls.
    var budget = S3RetryBudget()

    package init() {}

    /// How long to wait after the given attempt, counted from 1.
    func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let longest = min(delayMax, delayFirst * (1 << min(max(attempt - 1, 0), 16)))
        return longest * Double.random(in: 0...1, using: &generator)
    }
}
