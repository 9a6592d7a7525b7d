import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of certificates that a side does not accept, and of gateways that refuse to start. Each refusal is one
    /// sentence with advice.
    @Suite
    struct AuthorityRefusalTests {
        /// What is wrong with a device's certificate.
        enum Fault: String, CaseIterable {
            case unsigned
            case expired
            case notYetValid
            case ofAnotherAuthority
            case nameOfNoDevice

            var cause: String {
                switch self {
                case .unsigned, .ofAnotherAuthority, .nameOfNoDevice: "does not know this device"
                case .expired: "has expired"
                case .notYetValid: "is not valid yet"
                }
            }
        }

        @Test func unusableDeviceCertificateIsRefused() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let foreign = try await Authority(in: site.directory.appending(path: "foreign"))
                let file = try site.makeFile("file", bytes: 1_000)
                for fault in Fault.allCases {
                    let name = fault.rawValue
                    let agent = try await site.makeUnsignedAgent(name, port: gateway.port, trusting: authority)
                    switch fault {
                    case .unsigned: break
                    case .expired: try await site.sign(name, by: authority, validity: .formerly)
                    case .notYetValid: try await site.sign(name, by: authority, validity: .later)
                    case .ofAnotherAuthority: try await site.sign(name, by: foreign)
                    case .nameOfNoDevice:
                        let request = "\(agent.home)/identity.csr"
                        try await output(
                            of: "openssl", "req", "-new", "-key", "\(agent.home)/identity.key", "-subj", "/CN=cam 1",
                            "-out", request)
                        try await site.sign(name, by: authority)
                    }
                    try await agent.expectRefusal(
                        site.push(file), Refusal(77, "notAuthorised", fault.cause, do: "device add.*identity.csr"))
                }
                try await site.expectNoObject("file")
            }
        }

        @Test func gatewayOfAnotherAuthorityGetsNothing() async throws {
            try await Site.servingWithAuthority { site, authority, gateway in
                let file = try site.makeFile("file", bytes: 1_000)
                let foreign = try await Authority(in: site.directory.appending(path: "foreign"))
                let mistaken = try await site.makeUnsignedAgent("mistaken", port: gateway.port, trusting: foreign)
                try await mistaken.expectRefusal(
                    site.push(file), Refusal(77, "gatewayUntrusted", "not one of the authority", do: "--ca"))
                let agent = try await site.makeCertifiedAgent(
                    "cam1", port: gateway.port, authority: authority, ["--gateway-name", "gateway.example"])
                try await agent.expectRefusal(
                    site.push(file), Refusal(77, "gatewayUntrusted", "another name", do: "--repin"))
                try await site.expectNoObject("cam1/file")
            }
        }

        /// The agent's clock may be wrong. The agent could then not distinguish a wrong date from a wrong certificate.
        @Test func gatewayCertificateDatesAreIgnored() async throws {
            try await Site.with { site in
                let authority = try await site.makeAuthority()
                let file = try site.makeFile("file", bytes: 1_000)
                for validity in [Authority.Validity.formerly, .later] {
                    try await site.sign("gateway", by: authority, validity: validity)
                    try await site.withGateway(["--ca", authority.certificatePath]) { gateway in
                        let agent = try await site.makeCertifiedAgent(
                            "\(validity)", port: gateway.port, authority: authority)
                        _ = try await agent.run(site.push(file))
                    }
                    try await site.expectObject("\(validity)/file", equals: file)
                }
            }
        }

        @Test func failedInitLeavesNoHome() async throws {
            try await Site.with { site in
                let authority = try await site.makeAuthority()
                let agent = AgentHandle(home: site.path("agent"), program: try .built("sluice-agent"))
                let initialise = ["init", "--gateway", "127.0.0.1:1"]
                let certificate = ["--ca", authority.certificatePath]
                let pin = ["--pin", "sha256:" + String(repeating: "1", count: 64)]
                let wrong: [([String], Int32, String)] = [
                    ([], 64, "--pin.*--ca"), (certificate + pin, 64, "--pin.*--ca"), (certificate, 64, "--name"),
                    (certificate + ["--name", "cam 1"], 64, "letters, digits"),
                    (pin + ["--gateway-name", "x"], 64, "--ca"),
                    (["--ca", site.path("missing.pem"), "--name", "cam1"], 66, "missing.pem"),
                    (["--ca", site.path("pin"), "--name", "cam1"], 66, "holds no certificate"),
                ]
                for (options, status, cause) in wrong {
                    let program = try await agent.runForPeople(initialise + options)
                    #expect(program.exitStatus == .exited(status), "\(options): \(program.transcript)")
                    let sentence = try #require(program.lines(of: .standardError).first)
                    #expect(sentence.contains(try Regex(cause)), "\(options): \(sentence)")
                    #expect(!FileManager.default.fileExists(atPath: agent.home), "\(options)")
                }
                _ = try await site.makeCertifiedAgent("agent", port: 1, authority: authority)
                try FileManager.default.removeItem(atPath: "\(agent.home)/authority.crt")
                let file = try site.makeFile("file", bytes: 1_000)
                try await agent.expectRefusalAtOnce(
                    site.push(file), Refusal(66, "", "authority.*cannot be used", do: "authority.crt"))
            }
        }

        /// An incomplete configuration of a gateway, with the expected exit code and message.
        struct Half: CustomTestStringConvertible, Sendable {
            let description: String
            let status: Int32
            let cause: String
            /// A shell command that changes the configuration. It runs in the site's directory, which contains the home
            /// `gateway` and the CA certificate `ca.pem`.
            let preparation: String
            let options: [String]

            init(_ description: String, _ status: Int32, _ cause: String, _ preparation: String, _ options: [String]) {
                self.description = description
                self.status = status
                self.cause = cause
                self.preparation = preparation
                self.options = options
            }

            var testDescription: String { description }
        }

        static let halves = [
            Half("no identity", 66, "make one with sluice-gateway init", "rm gateway/identity.key", []),
            Half("no certificate", 66, "identity.crt", "rm gateway/identity.crt", []),
            Half("a key that others may read", 66, "chmod 600", "chmod 644 gateway/identity.key", []),
            Half(
                "another key", 66, "does not belong",
                "openssl genpkey -algorithm ed25519 -out gateway/identity.key; chmod 600 gateway/identity.key", []),
            Half(
                "an RSA key", 66, "Ed25519 and P-256",
                "openssl genrsa -out gateway/identity.key 2048; chmod 600 gateway/identity.key", []),
            Half(
                "an encrypted key", 66, "decrypt it",
                "K=gateway/identity.key; openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out $K; chmod 600 $K",
                []),
            Half("no key ring", 66, "key ring", "rm gateway/keys", []),
            Half("no device list", 66, "device list", "rm gateway/devices", []),
            Half("a device list with a slip", 66, "line 1", "echo cam1 > gateway/devices", []),
            Half("a device list that others may change", 66, "chmod go-w", "chmod 664 gateway/devices", []),
            Half("a configuration that others may change", 64, "chmod go-w", "chmod 622 gateway/gateway.yaml", []),
            Half("no such authority", 66, "missing.pem", "true", ["--ca", "missing.pem"]),
            Half(
                "no such authority, by the configuration", 66, "missing.pem",
                "echo 'ca: missing.pem' > gateway/gateway.yaml", []),
            Half(
                "no such authority, and no signed certificate", 66, "missing.pem.*; name the file",
                "cp unsigned.crt gateway/identity.crt", ["--ca", "missing.pem"]),
            Half(
                "an authority's file without a certificate", 66, "holds no certificate", "echo > ca.pem",
                ["--ca", "ca.pem"]),
            Half(
                "a certificate that may not sign", 66, "may not sign others", "cp device.crt ca.pem",
                ["--ca", "ca.pem"]),
            Half(
                "a certificate that is not signed", 66, "identity.csr", "cp unsigned.crt gateway/identity.crt",
                ["--ca", "ca.pem"]),
            Half("an authority without TLS", 64, "--ca.*--plaintext", "true", ["--ca", "ca.pem", "--plaintext"]),
        ]

        @Test func incompleteGatewayDoesNotStart() async throws {
            try await Site.with { site in
                try await site.shell("cp gateway/identity.crt unsigned.crt; cp unsigned.crt device.crt")
                _ = try await site.makeAuthority()
                try await site.shell("mv gateway whole; mv authority/authority.crt whole.pem")
                for half in Self.halves {
                    try await site.shell(
                        "rm -rf gateway; cp -r whole gateway; cp whole.pem ca.pem; \(half.preparation)")
                    let arguments =
                        ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0"] + site.storage.options
                        + half.options
                    let program = try await run(
                        .built("sluice-gateway"), arguments, workingDirectory: site.directory, within: Site.deadline)
                    #expect(program.exitStatus == .exited(half.status), "\(half.description): \(program.transcript)")
                    #expect(program.lines(of: .standardOutput) == [], "\(half.description)")
                    let told = program.lines(of: .standardError)
                    let cause = try Regex(half.cause)
                    // Settings that cannot be used are refused before the gateway starts.
                    #expect(told.first?.contains("Starting") == (half.status != 64), "\(program.transcript)")
                    let sentence = try #require(told.last, "\(half.description)")
                    #expect(sentence.contains(cause), "\(half.description): \(sentence)")
                    let isSaidOnce = told.count { $0.contains(cause) } == 1
                    #expect(isSaidOnce, "\(half.description): \(program.transcript)")
                    expectReadable(sentence)
                }
            }
        }
    }
}
