// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same rules: language mode 6, explicit import visibility, no warning survives.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")

let package = Package(
    name: "sluice",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "AgentKit", targets: ["AgentKit"]),
        .executable(name: "sluice-agent", targets: ["sluice-agent"]),
        .executable(name: "sluice-gateway", targets: ["sluice-gateway"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/CoreOffice/XMLCoder", from: "0.18.2"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),

        .target(name: "WireProtocol", dependencies: [nioCore], swiftSettings: strict),
        .target(name: "TransferCore", dependencies: ["WireProtocol"], swiftSettings: strict),
        .target(
            name: "SecureChannel", dependencies: ["WireProtocol", "COpenSSL", "CLZ4", nioCore, nioPosix],
            swiftSettings: strict),
        .target(
            name: "ObjectStore",
            dependencies: [
                "WireProtocol", "SecureChannel", "CLinux", nioCore, nioPosix, nioHTTP1, nioSSL, logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "XMLCoder", package: "XMLCoder"),
            ],
            swiftSettings: strict),
        .target(
            name: "GatewayKit",
            dependencies: [
                "WireProtocol", "TransferCore", "SecureChannel", "ObjectStore", nioCore, nioPosix, logging, lifecycle,
                unixSignals,
            ],
            swiftSettings: strict),
        .target(
            name: "AgentKit",
            dependencies: [
                "WireProtocol", "TransferCore", "SecureChannel", "CLinux", nioCore, nioPosix, logging, unixSignals,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(
            name: "CommandSupport",
            dependencies: [
                "CMalloc", "SecureChannel", "WireProtocol", arguments, configuration, logging,
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "sluice-gateway",
            dependencies: [
                "GatewayKit", "CommandSupport", "ObjectStore", "SecureChannel", "TransferCore", arguments, logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "sluice-agent",
            dependencies: [
                "AgentKit", "CommandSupport", "SecureChannel", "TransferCore", "WireProtocol", arguments, logging,
            ],
            swiftSettings: strict),

        // MARK: Tests, by room; then what they share.
        .testTarget(
            name: "WireProtocolTests",
            dependencies: ["SeededRandom", "TransferCore", "TransferCoreSupport", "WireProtocol", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "TransferCoreTests",
            dependencies: ["SeededRandom", "TransferCore", "TransferCoreSupport", "WireProtocol", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "SecureChannelTests",
            dependencies: [
                "SecureChannel", "SeededRandom", "TestSupport", "WireProtocol", nioCore, nioPosix, nioEmbedded,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "sluice-tls-bench",
            dependencies: ["SecureChannel", nioCore, nioEmbedded, nioPosix, nioSSL, nioTLS],
            path: "Tests/TLSBench", swiftSettings: strict),
        .testTarget(
            name: "SimulatorTests",
            dependencies: [
                "Simulator", "TestSupport", "TransferCore", "TransferCoreSupport", "WireProtocol", "sluice-simulate",
            ], swiftSettings: strict),
        .executableTarget(
            name: "sluice-simulate", dependencies: ["Simulator"], path: "Tests/SimulatorProgram",
            swiftSettings: strict),
        .target(
            name: "Simulator", dependencies: ["SeededRandom", "TransferCore", "TransferCoreSupport", "WireProtocol"],
            path: "Tests/Simulator", swiftSettings: strict),
        .testTarget(
            name: "ObjectStoreTests",
            dependencies: [
                "ObjectStore", "ObjectStoreConformance", "SecureChannel", "WireProtocol", nioCore, nioPosix, logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "S3StoreTests",
            dependencies: [
                "ObjectStore", "ObjectStoreConformance", "S3Servers", "ScriptedS3", "SecureChannel", "TestSupport",
                "WireProtocol", nioCore, nioPosix, nioHTTP1, logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "GatewayKitTests",
            dependencies: [
                "GatewayKit", "AgentKit", "ObjectStore", "ObjectStoreConformance", "ScriptedS3", "SecureChannel",
                "TransferCore", "WireProtocol", "TestSupport", nioCore, nioPosix, logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "ReplayTests",
            dependencies: [
                "GatewayKit", "SecureChannel", "SeededRandom", "TransferCore", "TransferCoreSupport", "WireProtocol",
                nioCore,
            ], swiftSettings: strict),
        .testTarget(
            name: "AgentKitTests",
            dependencies: [
                "AgentKit", "SecureChannel", "SeededRandom", "TransferCore", "TransferCoreSupport", "WireProtocol",
                "TestSupport", nioCore, logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "upload-sample", dependencies: ["AgentKit"], path: "Tests/Samples/upload-sample",
            swiftSettings: strict),
        .testTarget(
            name: "CommandSupportTests", dependencies: ["CommandSupport", arguments], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "S3Servers", "ScriptedS3", "SecureChannel", "SeededRandom", "TestSupport", "WireProtocol",
                "sluice-agent", "sluice-gateway", "sluice-torture", "upload-sample", nioCore, nioPosix,
            ], swiftSettings: strict),
        .executableTarget(
            name: "sluice-torture",
            dependencies: [
                "S3Servers", "SeededRandom", "TestSupport", "WireProtocol", "sluice-agent", "sluice-gateway", nioCore,
            ], path: "Tests/Torture", swiftSettings: strict),
        .testTarget(
            name: "TestSupportTests",
            dependencies: ["TestSupport", "WireProtocol", "sluice-gateway", nioCore, nioPosix], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .executableTarget(
            name: "sluice-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzzing/Program", swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "AgentKit", "GatewayKit", "ObjectStore", "SecureChannel", "TransferCore", "TransferCoreSupport",
                "WireProtocol", nioCore, logging, .product(name: "GRDB", package: "GRDB.swift"),
            ], path: "Tests/Fuzzing/Targets", swiftSettings: strict),
        .testTarget(
            name: "FuzzingTests", dependencies: ["FuzzTargets", "SeededRandom", "sluice-fuzz"], swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["COpenSSL", "SeededRandom", "WireProtocol", nioCore, nioPosix],
            path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
        .target(
            name: "S3Servers", dependencies: ["TestSupport", "WireProtocol", nioCore, nioPosix, nioHTTP1],
            path: "Tests/S3Servers", swiftSettings: strict),
        .target(
            name: "ScriptedS3", dependencies: ["S3Servers", "SecureChannel", "TestSupport", "WireProtocol", nioCore],
            path: "Tests/ScriptedS3", swiftSettings: strict),
        .target(
            name: "TransferCoreSupport", dependencies: ["SeededRandom", "TransferCore", "WireProtocol", nioCore],
            path: "Tests/TransferCoreSupport", swiftSettings: strict),
        .target(
            name: "ObjectStoreConformance", dependencies: ["ObjectStore", "SecureChannel", "WireProtocol", nioCore],
            path: "Tests/ObjectStoreConformance", swiftSettings: strict),
    ]
)

// `make fuzz` builds with what libFuzzer is led by: which of our own branches an input takes.
if Context.environment["SLUICE_FUZZ"] != nil {
    let coverage = ["-sanitize=address", "-sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp"]
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(coverage)]
    }
}
