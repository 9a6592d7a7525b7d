import NIOHTTP1
package import ObjectStore

/// The credentials of the role of the machine, from its metadata service in the second version, where a token is asked
/// for first. The first version, which answers anybody who makes us send a GET, is not spoken.
package struct InstanceCredentials: S3CredentialSource {
    private let environment: AWSEnvironment
    private static let name = "The instance metadata service"
    /// Whether there is a service is found out fast: a machine that has one answers at once, and one that has none must
    /// not wait for it.
    private let first: CredentialHTTP
    /// A service that is there may be busy.
    private let http = CredentialHTTP(timeLimit: .seconds(10), name: name)

    package init(environment: AWSEnvironment) {
        self.environment = environment
        let seconds = environment["AWS_METADATA_SERVICE_TIMEOUT"].flatMap { Int($0) } ?? 1
        self.first = CredentialHTTP(timeLimit: .seconds(min(max(seconds, 1), 60)), name: Self.name)
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        guard let origin = Self.origin(environment), let token = try await token(at: origin) else { return nil }
        let folder = "\(origin)/latest/meta-data/iam/security-credentials/"
        let headers = [("x-aws-ec2-metadata-token", token)]
        let roles = try await http.send(.GET, folder, headers: headers)
        // A machine without a role.
        if roles.status == 404 { return nil }
        let names = String(decoding: roles.body, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard roles.status == 200, let role = names.first.map({ String($0).trimmingBlanks }), !role.isEmpty else {
            throw unusable(roles)
        }
        let answer = try await http.send(.GET, folder + S3Signature.percentEncoded(role), headers: headers)
        guard answer.status == 200, let credentials = CredentialDocuments.credentials(answer.body) else {
            throw unusable(answer)
        }
        return credentials
    }

    /// - Returns: `nil` where the operator has switched it off.
    package static func origin(_ environment: AWSEnvironment) -> String? {
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else { return nil }
        if let endpoint = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] {
            return endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        }
        let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        return isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
    }

    /// - Returns: `nil` where there is no such service, or one that is switched off for us.
    private func token(at origin: String) async throws(StoreError) -> String? {
        let answer: CredentialHTTP.Answer
        do {
            answer = try await first.send(
                .PUT, "\(origin)/latest/api/token", headers: [("x-aws-ec2-metadata-token-ttl-seconds", "300")])
        } catch {
            return nil
        }
        let token = String(decoding: answer.body, as: UTF8.self).trimmingBlanks
        guard answer.status < 500, answer.status != 429 else { throw unusable(answer) }
        guard answer.status == 200, !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return token
    }

    private func unusable(_ answer: CredentialHTTP.Answer) -> StoreError {
        StoreError(
            .unavailable, "The instance metadata service gives no credentials at the moment (status \(answer.status)).")
    }
}
