package import TransferCommon

/// The environment variables that configure AWS's tools.
package struct AWSEnvironment: Sendable {
    private let variables: [String: String]

    package init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// The value of a variable; `nil` if it is missing or empty.
    package subscript(name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `AWS_REGION`, or the older `AWS_DEFAULT_REGION` of the command line tool.
    var region: String? { self["AWS_REGION"] ?? self["AWS_DEFAULT_REGION"] }
}

extension AWSEnvironment: CustomStringConvertible, CustomReflectable {
    /// The description hides the variables, because they include secrets.
    package var description: String { "AWSEnvironment" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Credentials from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
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
