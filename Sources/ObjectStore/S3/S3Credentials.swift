package import FoundationEssentials

/// What requests are signed with.
package struct S3Credentials: Hashable, Sendable {
    package var accessKeyID: String
    package var secretAccessKey: String
    /// Comes with temporary credentials and goes into every request.
    package var sessionToken: String?
    /// `nil` for those that last.
    package var expiration: Date?

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The key's id only: neither logs nor `dump` may show what signs.
    package var description: String { "S3Credentials(\(accessKeyID))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}

/// Where credentials come from. Those of a machine or a cluster will be further sources behind the same call.
package protocol S3CredentialSource: Sendable {
    /// The credentials as of now.
    ///
    /// - Parameter expired: those that the store has just refused, so that a source which keeps a copy looks again.
    /// - Returns: `nil` where this source has none.
    /// - Throws: `.denied` with a sentence for the operator where there are some that cannot be used.
    func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials?
}

/// Credentials that are given once and never change.
package struct FixedCredentials: S3CredentialSource {
    private let credentials: S3Credentials

    package init(_ credentials: S3Credentials) {
        self.credentials = credentials
    }

    package func credentials(insteadOf expired: S3Credentials?) -> S3Credentials? { credentials }
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: S3CredentialSource {
    private let environment: [String: String]

    package init(environment: [String: String]) {
        self.environment = environment
    }

    package func credentials(insteadOf expired: S3Credentials?) throws(StoreError) -> S3Credentials? {
        let id = environment["AWS_ACCESS_KEY_ID"].flatMap { $0.isEmpty ? nil : $0 }
        let secret = environment["AWS_SECRET_ACCESS_KEY"].flatMap { $0.isEmpty ? nil : $0 }
        guard let id, let secret else {
            guard id == nil, secret == nil else {
                throw StoreError(.denied, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together; one is missing.")
            }
            return nil
        }
        let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        return S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
    }
}

/// The first of several sources that has any.
package struct CredentialChain: S3CredentialSource {
    private let sources: [any S3CredentialSource]

    package init(_ sources: [any S3CredentialSource]) {
        self.sources = sources
    }

    /// The environment, then the shared credentials file.
    package static func standard(environment: [String: String]) -> CredentialChain {
        CredentialChain([
            EnvironmentCredentials(environment: environment), SharedCredentialsFile(environment: environment),
        ])
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        for source in sources {
            if let credentials = try await source.credentials(insteadOf: expired) { return credentials }
        }
        return nil
    }
}
