import Settings

/// A flag that names a thing of one call, and why it is no setting.
struct OneCallFlag: Equatable, Sendable {
    /// The program; `nil` for both.
    let program: String?
    /// The command, such as `receipts export`; `nil` for all commands.
    let command: String?
    /// Without dashes.
    let name: String
    let reason: String

    /// All of them. Every other flag is a setting, with a key and a variable. A test compares both with the commands.
    static let all: [OneCallFlag] =
        everywhere + agentInit + agentFiles + agentOthers + agentService + gatewayDevices + gatewayOthers

    private init(_ program: String?, _ command: String?, _ name: String, _ reason: String) {
        self.program = program
        self.command = command
        self.name = name
        self.reason = reason
    }

    private static let agent = "sluice-agent"
    private static let gateway = "sluice-gateway"

    private static let everywhere = [
        OneCallFlag(nil, nil, "home", "It says where the settings are. The variable is \(SettingVariables.home)."),
        OneCallFlag(nil, nil, "help", "It prints help and does nothing else."),
        OneCallFlag(nil, nil, "version", "It prints the version and does nothing else."),
        OneCallFlag(nil, nil, "json", "The reader of one call's output chooses its form."),
        OneCallFlag(agent, nil, "quiet", "The reader of one call's output chooses how much it is."),
    ]

    private static let agentInit = [
        OneCallFlag(agent, "init", "invite", "An invitation is valid once."),
        OneCallFlag(agent, "init", "gateway", "The command writes it into the settings file."),
        OneCallFlag(agent, "init", "pin", "The command writes it into the settings file."),
        OneCallFlag(agent, "init", "ca", "The command copies the file into the home."),
        OneCallFlag(agent, "init", "gateway-name", "The command writes it into the settings file."),
        OneCallFlag(agent, "init", "name", "The command writes it into the certificate."),
        OneCallFlag(agent, "init", "key-type", "The command makes one key."),
        OneCallFlag(agent, "init", "repin", "A person decides it for this call."),
    ]

    private static let agentFiles: [OneCallFlag] = ["push", "check"].flatMap { command in
        [
            OneCallFlag(agent, command, "key", "It names the object of one file."),
            OneCallFlag(agent, command, "include", "It chooses among the files of this call's paths."),
            OneCallFlag(agent, command, "exclude", "It chooses among the files of this call's paths."),
        ]
    }

    private static let agentOthers = [
        OneCallFlag(agent, "push", "expect-size", "It is the size of one file or stream."),
        OneCallFlag(agent, "push", "metadata", "It belongs to the files of this call."),
        OneCallFlag(agent, "push", "dry-run", "It says what this call does."),
        OneCallFlag(agent, "resume", "all", "It says what this call does."),
        OneCallFlag(agent, "resume", "file", "It is the path of one file."),
        OneCallFlag(agent, "check", "fast", "It says how carefully this call looks."),
        OneCallFlag(agent, "check", "remote", "It says what this call asks."),
        OneCallFlag(agent, "check", "read-back", "It may cost money, so each call says it."),
        OneCallFlag(agent, "check", "part-size", "It is the size with which one object was sent."),
        OneCallFlag(agent, "receipts export", "to", "It is the folder of one export."),
        OneCallFlag(agent, "receipts prune", "older-than", "It says what this call removes."),
        OneCallFlag(agent, "digest", "part-size", "It is the size with which one object was sent."),
    ]

    private static let agentService = [
        OneCallFlag(agent, "run", "log-format", "The program that collects the log of one process chooses its form."),
        OneCallFlag(agent, "run", "log-level", "A person chooses for one process how much its log says."),
        OneCallFlag(agent, "retry", "all", "It says what this call does."),
        OneCallFlag(agent, "flush", "wait", "It says what this call does."),
    ]

    private static let gatewayDevices: [OneCallFlag] =
        ["device invite", "device add"].flatMap { command in
            ["prefix", "connections", "sessions", "budget"].map { name in
                OneCallFlag(gateway, command, name, "The command writes it into the line of one device.")
            }
        } + [
            OneCallFlag(gateway, "device invite", "valid-for", "It belongs to one invitation."),
            OneCallFlag(gateway, "device add", "fingerprint", "It names one device."),
            OneCallFlag(gateway, "device add", "certificate", "It says how one device is known."),
        ]

    private static let gatewayOthers = [
        OneCallFlag(gateway, "init", "name", "The command writes it into the certificate."),
        OneCallFlag(gateway, "init", "key-type", "The command makes one key."),
        OneCallFlag(gateway, "identity announce", "key-type", "The command makes one key."),
        OneCallFlag(gateway, "identity switch", "force", "A person decides it for this call."),
        OneCallFlag(gateway, "identity retire", "force", "A person decides it for this call."),
        OneCallFlag(gateway, "uploads clean", "older-than", "It says what this call removes."),
        OneCallFlag(gateway, "uploads clean", "force", "A person decides it for this call."),
        OneCallFlag(gateway, "verify", "sha256", "It is the digest of one object."),
        OneCallFlag(gateway, "receipt verify", "key", "It names the signer of one file of receipts."),
        OneCallFlag(gateway, "receipt verify", "ca", "It names the signer of one file of receipts."),
        OneCallFlag(gateway, "receipt verify", "gateway-name", "It names the signer of one file of receipts."),
    ]

    /// Whether this is the flag of a command.
    func fits(program: String, command: String, flag: String) -> Bool {
        name == flag && (self.program ?? program) == program && (self.command ?? command) == command
    }
}
