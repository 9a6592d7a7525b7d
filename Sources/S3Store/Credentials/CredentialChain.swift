package import Logging
package import ObjectStore
import Synchronization

/// The first of several sources that has credentials. Once a source has returned some, only that source is asked.
package final class CredentialChain: S3CredentialSource {
    /// A source and its name for operators.
    package struct Link: Sendable {
        package let name: String
        package let source: any S3CredentialSource

        package init(_ name: String, _ source: any S3CredentialSource) {
            self.name = name
            self.source = source
        }
    }

    private let links: [Link]
    private let logger: Logger
    private let chosen = Mutex<Link?>(nil)

    package init(_ links: [Link], logger: Logger) {
        self.links = links
        self.logger = logger
    }

    /// The sources of AWS's own tools, in their order: the environment, a web identity, the shared files, a
    /// container's endpoint, the machine's metadata service.
    ///
    /// - Parameter region: the store's region, used if the environment names none.
    package static func standard(
        environment: [String: String], region: String? = nil,
        logger: Logger = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
    ) -> CredentialChain {
        let environment = AWSEnvironment(environment)
        let isDisabled = InstanceCredentials.origin(environment) == nil
        return CredentialChain(
            [
                Link("the environment", EnvironmentCredentials(environment: environment)),
                Link("a web identity", WebIdentityCredentials(environment: environment, region: region)),
                Link("the shared files", SharedProfileCredentials(environment: environment, region: region)),
                Link("a container's endpoint", ContainerCredentials(environment: environment)),
                Link(
                    "the instance metadata" + (isDisabled ? " (switched off)" : ""),
                    InstanceCredentials(environment: environment)),
            ], logger: logger)
    }

    /// - Throws: `.denied` if no source has credentials.
    package func credentials(insteadOf expired: S3Credentials?) async throws(StoreError) -> S3Credentials? {
        if let link = chosen.withLock({ $0 }) {
            if let credentials = try await link.source.credentials(insteadOf: expired) { return credentials }
            throw StoreError(.unavailable, "The gateway's credentials came from \(link.name), which no longer has any.")
        }
        for link in links {
            guard let credentials = try await link.source.credentials(insteadOf: expired) else { continue }
            chosen.withLock { $0 = link }
            logger.info("Credentials for the store were found", metadata: ["s3.credentials": "\(link.name)"])
            return credentials
        }
        let tried = links.map(\.name).joined(separator: ", ")
        throw StoreError(.denied, "No credentials for the S3 store were found; tried \(tried).")
    }
}
