// swift-tools-version: 6.2
import PackageDescription

/// Settings of every target: Swift 6 language mode, explicit visibility of imports, and warnings as errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

typealias Dependencies = [Target.Dependency]

// MARK: What comes from other packages

func product(_ name: String, of package: String) -> Target.Dependency { .product(name: name, package: package) }

let nioCore = product("NIOCore", of: "swift-nio")
let nioPosix = product("NIOPosix", of: "swift-nio")
let nioEmbedded = product("NIOEmbedded", of: "swift-nio")
let nioHTTP1 = product("NIOHTTP1", of: "swift-nio")
let nioTLS = product("NIOTLS", of: "swift-nio")
let nioSSL = product("NIOSSL", of: "swift-nio-ssl")
let httpClient = product("AsyncHTTPClient", of: "async-http-client")
let database = product("GRDB", of: "GRDB.swift")
let logging = product("Logging", of: "swift-log")
let lifecycle = product("ServiceLifecycle", of: "swift-service-lifecycle")
let arguments = product("ArgumentParser", of: "swift-argument-parser")
let yams = product("Yams", of: "Yams")

// MARK: What most targets have in common

let nio: Dependencies = [nioCore, nioPosix]
let wire: Dependencies = ["TransferCommon", "WireProtocol"]
let core: Dependencies = wire + ["TransferCore"]
let base: Dependencies = ["SystemSupport", "Cryptography"]
let simulated: Dependencies = core + ["SeededRandom", "TransferCoreSupport"]
let files: Dependencies = ["RepositoryFiles"]

/// A target of the two programs, in `Sources/NAME`.
func room(_ name: String, _ dependencies: Dependencies = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: Dependencies, at path: String? = nil) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

/// A target with code that several tests share.
func support(_ name: String, _ dependencies: Dependencies = [], at path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path ?? "Tests/Support/\(name)", swiftSettings: strict)
}

/// Tests are not optimised, also in a release build: compiling them would take twice as long, and they would run no
/// faster. What they test is optimised. Only tests that compute much are optimised themselves.
func tests(_ name: String, _ dependencies: Dependencies, at path: String, isOptimized: Bool = false) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: path,
        swiftSettings: strict + (isOptimized ? [] : [.unsafeFlags(["-Onone"])]))
}

/// The unit tests of one room, in `Tests/Unit/ROOM`. A room is a target with a list of modules that it may import.
func unitTests(_ room: String, _ dependencies: Dependencies) -> Target {
    tests("\(room)Tests", dependencies, at: "Tests/Unit/\(room)")
}

let package = Package(
    name: "sluice",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "AgentKit", targets: ["AgentKit"]),
        .library(name: "AgentService", targets: ["AgentService"]),
        .executable(name: "sluice-agent", targets: ["sluice-agent"]),
        .executable(name: "sluice-gateway", targets: ["sluice-gateway"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),

        // MARK: The rooms. Tests/Unit/Tidy/Rooms.swift says what the files of each room may import.

        room("TransferCommon"),
        room("WireProtocol", ["TransferCommon", nioCore]),
        room("TransferCore", wire),
        room("FolderCore", ["TransferCommon"]),
        room("SystemSupport", ["TransferCommon", "CLinux", "CLZ4", "CMalloc"] + nio),
        room("Cryptography", wire + ["SystemSupport", "COpenSSL", nioCore]),
        room("SecureChannel", wire + base + nio + ["COpenSSL"]),
        room("Settings", ["TransferCommon", "SystemSupport", yams]),
        room("ObjectStore", wire + base + nio + [logging]),
        room("S3Store", wire + base + nio + ["ObjectStore", nioHTTP1, nioSSL, logging, httpClient]),
        room(
            "GatewayKit",
            core + base + nio + ["ObjectStore", "S3Store", "SecureChannel", "Settings", logging, lifecycle]),
        room("AgentKit", core + base + nio + ["FolderCore", "SecureChannel", "Settings", logging, database]),
        room(
            "AgentService",
            core + base + nio + ["AgentKit", "FolderCore", "Settings", nioHTTP1, logging, database]),
        room("CommandSupport", wire + base + ["Settings", arguments, logging]),
        program(
            "sluice-gateway",
            core + base + ["GatewayKit", "ObjectStore", "S3Store", "CommandSupport", "Settings", arguments, logging]),
        program(
            "sluice-agent",
            core + base + ["AgentKit", "AgentService", "CommandSupport", "FolderCore", "Settings", arguments, logging]),
        program("upload-sample", ["AgentKit"], at: "Examples/upload-sample"),

        // MARK: The tests of the rooms

        unitTests("TransferCommon", wire + ["SeededRandom"]),
        unitTests("WireProtocol", simulated + files + [nioCore]),
        unitTests("TransferCore", simulated + files + [nioCore]),
        unitTests("FolderCore", ["TransferCommon", "FolderCore", "SeededRandom"] + files),
        unitTests(
            "SystemSupport", wire + base + nio + [nioEmbedded, "CryptographySupport", "SeededRandom", "TestSupport"]),
        unitTests("Cryptography", wire + base + nio + files + ["CryptographySupport", "SeededRandom", "TestSupport"]),
        unitTests(
            "SecureChannel",
            wire + base + nio + files + [
                nioEmbedded, "SecureChannel", "CryptographySupport", "SeededRandom", "TestSupport",
            ]),
        unitTests(
            "ObjectStore",
            wire + base + nio + files + ["ObjectStore", "ObjectStoreConformance", "TestSupport", logging]),
        unitTests(
            "S3Store",
            wire + base + nio + [
                "ObjectStore", "S3Store", "ObjectStoreConformance", "S3Servers", "ScriptedS3", "TestSupport",
            ]
                + files + [nioHTTP1, logging]),
        unitTests(
            "GatewayKit",
            core + base + nio + ["GatewayKit", "AgentKit", "ObjectStore", "S3Store", "SecureChannel", logging]
                + files + ["ObjectStoreConformance", "ScriptedS3", "TestSupport", nioEmbedded]),
        unitTests(
            "AgentKit", simulated + base + ["AgentKit", "SecureChannel", "TestSupport", nioCore, logging, database]),
        unitTests(
            "AgentService",
            simulated + base + nio + ["AgentKit", "AgentService", "FolderCore", "Settings", "TestSupport"]
                + [nioHTTP1, logging, database]),
        tests(
            "SluiceAgentTests",
            simulated + base + [
                "AgentKit", "AgentService", "CommandSupport", "InterfaceSupport", "SecureChannel", "TestSupport",
            ]
                + ["sluice-agent", nioCore, logging],
            at: "Tests/Unit/sluice-agent"),
        unitTests(
            "Settings",
            wire + base + files + [
                "Settings", "AgentKit", "FolderCore", "GatewayKit", "TransferCore", "InterfaceSupport", "TestSupport",
                "sluice-agent", "sluice-gateway",
            ]),
        unitTests("CommandSupport", wire + base + files + ["CommandSupport", "SeededRandom", arguments, logging]),
        unitTests("TestSupport", wire + nio + files + ["TestSupport", "sluice-gateway"]),
        tests("TidyTests", files, at: "Tests/Unit/Tidy", isOptimized: true),
        // The page about interfaces, which is generated from both programs.
        unitTests(
            "Interfaces",
            files + ["AgentKit", "GatewayKit", "CommandSupport", "InterfaceSupport", "Settings", "SystemSupport"]
                + ["sluice-agent", "sluice-gateway"]),

        // MARK: Machines under simulation, and recorded conversations

        support("Simulator", simulated, at: "Tests/Simulation/Simulator"),
        support(
            "FolderSimulator", ["TransferCommon", "FolderCore", "SeededRandom"], at: "Tests/Simulation/Folders"),
        program("sluice-simulate", ["Simulator", "FolderSimulator"], at: "Tests/Simulation/Program"),
        tests(
            "SimulatorTests", simulated + ["Simulator", "FolderSimulator", "TestSupport", "sluice-simulate"],
            at: "Tests/Simulation/Tests"),
        tests("ReplayTests", simulated + base + files + ["GatewayKit", nioCore], at: "Tests/Simulation/Replay"),

        // MARK: The real programs

        tests(
            "EndToEndTests",
            wire + base + nio + files + ["CommandSupport", "InterfaceSupport"]
                + ["S3Servers", "ScriptedS3", "SeededRandom", "TestSupport"]
                + ["sluice-agent", "sluice-gateway", "sluice-torture", "upload-sample"],
            at: "Tests/EndToEnd/Tests"),
        program(
            "sluice-torture",
            wire + ["S3Servers", "SeededRandom", "TestSupport", "sluice-agent", "sluice-gateway", nioCore],
            at: "Tests/EndToEnd/Torture"),

        // MARK: Benchmarks and fuzzing

        program("sluice-tls-bench", nio + ["SecureChannel", nioEmbedded, nioSSL, nioTLS], at: "Tests/Benchmarks/TLS"),
        program("sluice-fuzz", ["FuzzTargets"], at: "Tests/Fuzzing/Program"),
        support(
            "FuzzTargets",
            simulated + base + [
                "AgentKit", "GatewayKit", "ObjectStore", "S3Store", "Settings", nioCore, logging, database,
            ],
            at: "Tests/Fuzzing/Targets"),
        tests("FuzzingTests", files + ["FuzzTargets", "SeededRandom", "sluice-fuzz"], at: "Tests/Fuzzing/Tests"),

        // MARK: What several tests share

        support("RepositoryFiles"),
        support("SeededRandom"),
        support("InterfaceSupport", ["CommandSupport", "Settings"]),
        support("TestSupport", wire + nio + files + ["COpenSSL", "SeededRandom"]),
        support("CryptographySupport", wire + base + ["SeededRandom", "TestSupport"]),
        support("TransferCoreSupport", core + files + ["SeededRandom", nioCore]),
        support("ObjectStoreConformance", wire + base + ["ObjectStore", nioCore]),
        support("S3Servers", wire + nio + ["TestSupport", nioHTTP1]),
        support("ScriptedS3", wire + ["Cryptography", "S3Servers", "TestSupport", nioCore]),
    ]
)

// For `make fuzz` every target reports to libFuzzer which branches of our code an input takes. libFuzzer uses this to
// choose further inputs.
if Context.environment["SLUICE_FUZZ"] != nil {
    let coverage = ["-sanitize=address", "-sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp"]
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(coverage)]
    }
}
