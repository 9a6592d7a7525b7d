/// The allowed imports of each target. A target may import the modules in its row and nothing else.
struct Room: Sendable {
    let target: String
    let imports: Set<String>

    /// Maps a module of `imports` to the only file that may import it, so that each C library stays behind one wrapper.
    let onlyIn: [String: String]

    init(_ target: String, imports: [Set<String>], onlyIn: [String: String] = [:]) {
        self.target = target
        self.imports = imports.reduce([]) { $0.union($1) }
        self.onlyIn = onlyIn
    }

    static let foundation: Set<String> = ["Foundation", "FoundationEssentials"]
    static let system: Set<String> = ["Glibc", "Musl", "Darwin", "Synchronization"]
    static let sockets: Set<String> = ["NIOCore", "NIOPosix", "NIOConcurrencyHelpers"]
    static let service: Set<String> = ["Logging", "Metrics", "ServiceLifecycle"]
    static let command: Set<String> = ["ArgumentParser"]
    static let wire: Set<String> = ["TransferCommon", "WireProtocol"]
    static let core: Set<String> = wire.union(["TransferCore"])
    static let base: Set<String> = wire.union(["SystemSupport", "Cryptography"])

    static let all: [Room] = [
        // Values that all targets share: identifiers, keys, terms, instants.
        Room("TransferCommon", imports: []),
        // Frames and limits, as pure functions of bytes.
        Room("WireProtocol", imports: [["TransferCommon", "NIOCore"]]),
        // The deciding state machines. Without sockets, files, clocks, tasks and randomness, a seed replays every run.
        Room("TransferCore", imports: [wire]),
        // The machine of the agent service: which files are ready, proven and removed.
        Room("FolderCore", imports: [["TransferCommon"]]),
        // Services of the operating system and its libraries for all targets: files, locks, event loops, compression.
        Room(
            "SystemSupport", imports: [foundation, system, sockets, ["TransferCommon", "CLinux", "CLZ4", "CMalloc"]],
            onlyIn: ["CLinux": "SystemCalls.swift", "CLZ4": "LZ4Block.swift", "CMalloc": "MemoryAllocator.swift"]),
        // OpenSSL: digests, sealing, keys, certificates, receipts.
        Room("Cryptography", imports: [foundation, system, ["NIOCore", "COpenSSL", "SystemSupport"], wire]),
        // TLS as a channel handler.
        Room("SecureChannel", imports: [foundation, system, sockets, base, ["COpenSSL"]]),
        // Settings of both programs: files in YAML and JSON, flags, environment variables, quantities. The package Yams
        // contains libyaml as the module CYaml.
        Room(
            "Settings", imports: [system, ["TransferCommon", "SystemSupport", "CYaml"]],
            onlyIn: ["CYaml": "YAMLParser.swift"]),
        // The protocol for stores, and the store in a directory. Independent of slots, gateways and agents.
        Room("ObjectStore", imports: [foundation, system, sockets, base, ["Logging"]]),
        Room(
            "S3Store",
            imports: [
                foundation, system, sockets, base,
                ["NIOHTTP1", "NIOSSL", "NIOFoundationCompat", "ObjectStore", "AsyncHTTPClient", "Logging"],
            ]),
        // The two programs do not depend on each other. The code that both need is in the targets above.
        Room(
            "GatewayKit",
            imports: [
                foundation, system, sockets, service, core, base,
                ["SecureChannel", "ObjectStore", "S3Store", "Settings"],
            ]),
        Room(
            "AgentKit",
            imports: [
                foundation, system, sockets, service, core, base, ["FolderCore", "SecureChannel", "Settings", "GRDB"],
            ]),
        // The agent that people leave running: the shell of FolderCore, with files, journal, watching and control.
        Room(
            "AgentService",
            imports: [
                foundation, system, sockets, service, core, base,
                ["AgentKit", "FolderCore", "Settings", "NIOHTTP1", "GRDB"],
            ]),
        // Shared parts of both command lines: flags, logging, failures.
        Room("CommandSupport", imports: [foundation, system, service, command, base, ["Settings"]]),
        Room(
            "sluice-gateway",
            imports: [
                foundation, system, service, command, core, base,
                ["CommandSupport", "GatewayKit", "ObjectStore", "S3Store", "Settings"],
            ]),
        Room(
            "sluice-agent",
            imports: [
                foundation, system, service, command, core, base,
                ["CommandSupport", "AgentKit", "AgentService", "FolderCore", "Settings"],
            ]),
    ]
}

let importRule = Rule(
    name: "A room imports only what its row of the table allows",
    broken: [
        sample("Sources/WireProtocol/Frame.swift", "package import Foundation"),
        sample("Sources/TransferCore/Agent.swift", "import NIOCore"),
        sample("Sources/TransferCore/Agent.swift", "import Foundation"),
        sample("Sources/FolderCore/Folders.swift", "import TransferCore"),
        sample("Sources/SystemSupport/Other.swift", "import CLZ4"),
        sample("Sources/SystemSupport/Files/OpenFile.swift", "import CLinux"),
        sample("Sources/ObjectStore/FileStore/SystemCalls.swift", "import CLinux"),
        sample("Sources/S3Store/Store/S3Store.swift", "import TransferCore"),
        sample("Sources/GatewayKit/Relay.swift", "import AgentKit"),
        sample("Sources/GatewayKit/Relay.swift", "@preconcurrency package import COpenSSL"),
        sample("Sources/AgentKit/Uploader.swift", "import struct ObjectStore.Key"),
        sample("Sources/AgentKit/Uploader.swift", "import AsyncHTTPClient"),
        sample("Sources/sluice-agent/Main.swift", "import GatewayKit"),
        sample("Sources/Helpers/Main.swift", "import WireProtocol"),
        sample("Tests/Unit/AgentKit/UploaderTests.swift", "@testable import AgentKit"),
    ],
    followed: [
        sample("Sources/WireProtocol/Frame.swift", "package import NIOCore"),
        sample("Sources/SystemSupport/LZ4Block.swift", "import CLZ4"),
        sample("Sources/AgentKit/Uploader.swift", "import Foundation // not import ObjectStore"),
        sample("Tests/Unit/AgentKit/UploaderTests.swift", "import AgentKit\nimport ObjectStore"),
    ],
    check: { file in
        file.imports.compactMap { module, line in
            objection(to: module, line: line, in: file).map { Finding(path: file.path, line: line + 1, message: $0) }
        }
    })

private func objection(to module: String, line: Int, in file: SourceFile) -> String? {
    guard !file.isTest else {
        return file.code[line].contains("@testable")
            ? "@testable does not work in a release build: give what the test needs `package` access" : nil
    }
    guard let room = Room.all.first(where: { $0.target == file.target }) else {
        return "\(file.target) is no room of the table in Tests/Unit/Tidy/Rooms.swift: give it a row"
    }
    guard room.imports.contains(module) else {
        return "\(room.target) does not import \(module): move the code to a room that does, "
            + "or hand it in through a protocol"
    }
    if let wrapper = room.onlyIn[module], !file.path.hasSuffix("/\(wrapper)") {
        return "only \(wrapper) imports \(module): call its wrapper"
    }
    return nil
}
