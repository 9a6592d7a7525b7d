import NIOHTTP1
package import TransferCommon

/// The credentials of the machine's role, from the machine's metadata service (version 2), which demands a token first.
/// Version 1 is not supported: it answers any GET request, even one that an attacker tricks a process into sending.
package struct InstanceCredentials: S3CredentialSource {
    private let environment: AWSEnvironment
    private static let name = "The instance metadata service"
    /// The client for the first request, with a short time limit. Where the service exists it answers at once; where it
    /// does not exist, the gateway must not wait long for it.
    private let first: CredentialHTTP
    /// The client for later requests. They have a longer time limit than the first one, because the service is known to
    /// exist and may be busy.
    private let http = CredentialHTTP(timeLimit: .seconds(10), name: name)

    package init(environment: AWSEnvironment) {
        self.environment = environment
        let seconds = environment["AWS_METADATA_SERVICE_TIMEOUT"].flatMap { Int($0) } ?? 1
        self.first = CredentialHTTP(timeLimit: .seconds(min(max(seconds, 1), 60)), name: Self.name)
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        guard let origin = Self.origin(environment) else { return nil }
        guard CredentialAddress.isSafe(origin, linkHosts: CredentialAddress.metadataHosts) else {
            throw StoreError(
                .denied,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT names a host that is neither this machine nor behind HTTPS.")
        }
        guard let token = try await token(at: origin) else { return nil }
        let folder = "\(origin)/latest/meta-data/iam/security-credentials/"
        let headers = [("x-aws-ec2-metadata-token", token)]
        let roles = try await http.send(.GET, folder, headers: headers)
        // The machine has no role.
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

    /// The address of the service; `nil` if the operator has disabled the service.
    package static func origin(_ environment: AWSEnvironment) -> String? {
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else { return nil }
        if let endpoint = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] {
            return endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        }
        let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        return isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
    }

    /// - Returns: the token that the service demands; `nil` if the machine has no such service, or if the service
    ///   refuses this process.
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
