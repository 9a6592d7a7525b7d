package import ObjectStore

/// The variables by which AWS's tools are told of credentials and regions.
package struct AWSEnvironment: Sendable {
    private let variables: [String: String]

    package init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// `nil` where the variable is missing or empty, which counts as the same.
    package subscript(name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `AWS_REGION`, and the name that the command line tool had for it first.
    var region: String? { self["AWS_REGION"] ?? self["AWS_DEFAULT_REGION"] }
}

extension AWSEnvironment: CustomStringConvertible, CustomReflectable {
    /// Nothing of what it holds: the secrets are among it.
    package var description: String { "AWSEnvironment" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: S3CredentialSource {
    private let environment: AWSEnvironment

    package init(environment: AWSEnvironment) {
        self.environment = environment
    }

    package func credentials(insteadOf expired: S3Credentials?) throws(StoreError) -> S3Credentials? {
        let (id, secret) = (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        guard let id, let secret else {
            guard id == nil, secret == nil else {
                throw StoreError(.denied, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together; one is missing.")
            }
            return nil
        }
        return S3Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: environment["AWS_SESSION_TOKEN"])
    }
}
