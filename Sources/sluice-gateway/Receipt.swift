import ArgumentParser
import CommandSupport
import SystemSupport

struct Receipt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verifies receipts that gateways have signed.", subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verifies the receipts in a file, and says what was stored, when, and under which key.",
            discussion: """
                Needs neither a home nor the store. A receipt says what was stored then; it does not say that the \
                object is there now. Exit code 0: every receipt is valid; 1: one is not, or there is none; 66: the \
                file, or that of --key or --ca, cannot be read.
                """)
        @Argument(help: "The file, written by sluice-agent receipts export.") var file: String
        @Option(
            help: """
                The key that must have signed: its fingerprint, sha256: and 64 digits, or a file with its public key \
                or certificate in PEM, such as the identity.crt of the gateway's home.
                """)
        var key: String?
        @Option(help: "Instead of --key: the authority that must have signed the key's certificate, a PEM file.")
        var ca: String?
        @Option(help: "With --ca: the host name or address that the certificate must be for.") var gatewayName: String?
        @OptionGroup var format: JSONOption

        func validate() throws {
            guard key == nil || ca == nil else {
                throw ValidationError("--key and --ca exclude each other; leave out one of them.")
            }
            guard (ca == nil) == (gatewayName == nil) else {
                throw ValidationError(
                    "--ca and --gateway-name go together, because any device of the authority has a key; add the "
                        + "missing one.")
            }
        }

        func run() throws {
            let signer = ca.flatMap { ca in
                gatewayName.map { ReceiptReport.Signer.authority(path: ca, gatewayName: $0) }
            }
            let report = ReceiptReport(path: file, signer: signer ?? key.map { .key($0) } ?? .anybody)
            if format.json {
                for object in report.objects { Output.results.object(object) }
            } else {
                for line in report.lines { Output.results.line(line) }
            }
            for line in report.advice { Output.advise("sluice-gateway: \(line)") }
            guard report.exitCode == 0 else { throw ExitCode(report.exitCode) }
        }
    }
}
