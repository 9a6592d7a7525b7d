import NIOHTTP1
import SystemSupport
package import TransferCommon

/// A role, and the file with the token that permits assuming the role.
struct WebIdentity: Sendable {
    var roleARN: String
    var tokenFile: String
    /// Name of the session, which appears in AWS's logs; `nil` for Sluice's default.
    var sessionName: String?
}

/// Credentials of the role that `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME` describe.
/// Kubernetes on AWS sets these variables to give a pod its role.
package struct WebIdentityCredentials: S3CredentialSource {
    private let environment: AWSEnvironment
    private let service: SecurityTokenService

    /// - Parameter region: the store's region, used if the environment names none.
    package init(environment: AWSEnvironment, region: String? = nil) {
        self.environment = environment
        self.service = SecurityTokenService(environment: environment, region: region)
    }

    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        guard let file = environment["AWS_WEB_IDENTITY_TOKEN_FILE"] else { return nil }
        guard let role = environment["AWS_ROLE_ARN"] else {
            throw StoreError(.denied, "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN go together; one is missing.")
        }
        return try await service.credentials(
            for: WebIdentity(
                roleARN: role, tokenFile: file, sessionName: environment["AWS_ROLE_SESSION_NAME"]))
    }
}

/// A client of AWS's security token service, and of services with the same interface.
package struct SecurityTokenService: Sendable {
    private static let tokenBytesMax = 64 << 10

    private let environment: AWSEnvironment
    private let region: String?
    private let http = CredentialHTTP(timeLimit: .seconds(10), name: "The security token service")

    package init(environment: AWSEnvironment, region: String?) {
        self.environment = environment
        self.region = region
    }

    /// Assumes the role. The token authenticates the request, so the request is not signed. The file with the token is
    /// read each time, because Kubernetes replaces it while the process runs.
    func credentials(for identity: WebIdentity) async throws(StoreError) -> S3Credentials {
        let origin = origin
        guard CredentialAddress.isSafe(origin) else {
            // Over plain HTTP, every listener on the path could use the token to assume the role.
            throw StoreError(
                .denied, "AWS_ENDPOINT_URL_STS names a host that is neither this machine nor behind HTTPS.")
        }
        let answer = try await http.send(
            .POST, origin + "/", headers: [("content-type", "application/x-www-form-urlencoded")],
            body: S3Signature.canonicalQuery([
                ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", identity.roleARN),
                ("RoleSessionName", identity.sessionName ?? "sluice-gateway"),
                ("WebIdentityToken", try token(in: identity.tokenFile)),
            ]), proxies: try proxies())
        guard answer.status == 200 else { throw refusal(answer) }
        guard let credentials = CredentialDocuments.assumedRole(answer.body) else {
            throw StoreError(.unavailable, "The security token service's answer is invalid.")
        }
        return credentials
    }

    /// The address of the service: `AWS_ENDPOINT_URL_STS`, otherwise the service of the region, otherwise the global
    /// service.
    package var origin: String {
        if let endpoint = environment["AWS_ENDPOINT_URL_STS"] {
            return endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        }
        guard let region = environment.region ?? region, S3Endpoint.isRegion(region) else {
            return "https://sts.amazonaws.com"
        }
        return "https://sts.\(region).\(S3Endpoint.awsSuffix(of: region))"
    }

    private func proxies() throws(StoreError) -> ProxySettings {
        do {
            return try ProxySettings(environment: environment)
        } catch {
            throw StoreError(.denied, error.description, cause: error)
        }
    }

    private func token(in file: String) throws(StoreError) -> String {
        do {
            let bytes = try BoundedFile.read(file, bytesMax: Self.tokenBytesMax, access: .anyone)
            return String(decoding: bytes, as: UTF8.self).trimmingBlanks
        } catch {
            throw StoreError(.denied, "The file of the web identity's token cannot be read.", cause: error)
        }
    }

    private func refusal(_ answer: CredentialHTTP.Answer) -> StoreError {
        let code = CredentialDocuments.errorCode(answer.body) ?? "status \(answer.status)"
        let isPassing = answer.status >= 500 || answer.status == 429 || Self.passing.contains(code)
        return StoreError(
            isPassing ? .unavailable : .denied, "The security token service refuses the web identity (\(code)).")
    }

    private static let passing: Set<String> = ["IDPCommunicationError", "Throttling", "ThrottlingException"]
}
