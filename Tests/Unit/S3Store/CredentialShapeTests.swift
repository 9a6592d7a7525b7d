import FoundationEssentials
import ObjectStore
import S3Store
import Testing

@Suite struct CredentialShapeTests {
    private static let credentialsFile = """
        # kept by hand
        [default]
        aws_access_key_id = id1
        aws_secret_access_key=s1=with+equals/

        [ other ]
          AWS_ACCESS_KEY_ID = id2   ; the old one
        aws_secret_access_key = s2#no comment
        aws_session_token = token2 # one
        [default]
        region = eu-north-1
        """

    private static let configurationFile = """
        [default]
        region=eu-west-1
        s3 =
            region = elsewhere
            addressing_style = path
        output = json
        [profile other]
        region = eu-west-2
        [profile  "with blanks"]
        region = eu-west-3
        [services x]
        region = nowhere
        """

    @Test(arguments: [
        ("default", ["aws_access_key_id": "id1", "aws_secret_access_key": "s1=with+equals/", "region": "eu-north-1"]),
        (
            "other",
            ["aws_access_key_id": "id2", "aws_secret_access_key": "s2#no comment", "aws_session_token": "token2"]
        ),
        ("absent", nil),
    ])
    func aCredentialsFileHasSections(section: String, settings: [String: String]?) {
        #expect(SharedProfile.settings(of: section, in: Self.credentialsFile) == settings)
    }

    @Test(arguments: [
        ("default", ["region": "eu-west-1", "s3": "", "output": "json"]), ("profile other", ["region": "eu-west-2"]),
        ("profile with blanks", ["region": "eu-west-3"]), ("other", nil), ("", nil),
    ])
    func aConfigFileHasProfilesAndNestedSettings(section: String, settings: [String: String]?) {
        #expect(SharedProfile.settings(of: section, in: Self.configurationFile) == settings)
    }

    @Test(arguments: ["", "[", "[]", "=", "[default", "[default]\n=\n", "a = b\n", "[default]\n\u{0} =\u{0}"])
    func malformedFileIsReadInPart(text: String) {
        let settings = SharedProfile.settings(of: "default", in: text)
        #expect(settings?["aws_access_key_id"] == nil)
    }

    @Test func theJSONOfContainersAndMachinesIsRead() {
        let container = """
            {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "t", "Expiration": "2044-11-06T08:49:37Z",
             "RoleArn": "arn:aws:iam::1:role/r"}
            """
        let machine = """
            {"Code" : "Success", "LastUpdated" : "2044-11-06T02:49:37Z", "Type" : "AWS-HMAC", "AccessKeyId" : "ASIA1",
             "SecretAccessKey" : "s", "Token" : "t", "Expiration" : "2044-11-06T08:49:37Z"}
            """
        let expected = S3Credentials(
            accessKeyID: "ASIA1", secretAccessKey: "s", sessionToken: "t",
            expiration: Date(timeIntervalSince1970: 2_362_034_977))
        for text in [container, machine] { #expect(CredentialDocuments.credentials(Array(text.utf8)) == expected) }
    }

    @Test(arguments: [
        "", "{}", "null", "[]", "{\"AccessKeyId\": \"a\"}", "{\"AccessKeyId\": \"\", \"SecretAccessKey\": \"\"}",
        "{\"Code\": \"AssumeRoleUnauthorizedAccess\", \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\"}",
        "{\"AccessKeyId\": 1, \"SecretAccessKey\": 2}", "<html/>", "{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s",
    ])
    func otherJSONHasNoCredentials(text: String) {
        #expect(CredentialDocuments.credentials(Array(text.utf8)) == nil)
    }

    @Test func credentialsWithoutATimeLast() {
        let text = "{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", \"Expiration\": \"some day\"}"
        let credentials = CredentialDocuments.credentials(Array(text.utf8))
        #expect(credentials == S3Credentials(accessKeyID: "a", secretAccessKey: "s"))
    }

    @Test func theXMLOfTheTokenServiceIsRead() {
        let credentials = CredentialDocuments.assumedRole(Array(assumedRole(id: "ASIA1", token: "t").utf8))
        #expect(credentials?.accessKeyID == "ASIA1" && credentials?.sessionToken == "t")
        #expect(credentials?.expiration == Date(timeIntervalSince1970: 2_362_034_977))
        for text in ["", "<AssumeRoleWithWebIdentityResponse/>", "<ErrorResponse/>", tokenServiceError("AccessDenied")]
        {
            #expect(CredentialDocuments.assumedRole(Array(text.utf8)) == nil)
        }
    }

    @Test(arguments: [
        (tokenServiceError("ExpiredTokenException"), "ExpiredTokenException"), (tokenServiceError("a b"), nil),
        (tokenServiceError(String(repeating: "A", count: 65)), nil), ("<html/>", nil), ("", nil),
    ])
    func onlyTheCodeOfARefusalIsRead(text: String, code: String?) {
        #expect(CredentialDocuments.errorCode(Array(text.utf8)) == code)
    }

    @Test(arguments: [
        ("http://127.0.0.1:80/x", true), ("http://127.1.2.3/x", true), ("http://localhost/x", true),
        ("http://[::1]/x", true), ("http://169.254.170.2/x", true), ("http://169.254.170.23/v1/credentials", true),
        ("http://[fd00:ec2::23]/v1/credentials", true), ("https://credentials.example.org/x", true),
        ("http://credentials.example.org/x", false), ("http://169.254.169.254/x", false),
        ("http://127.0.0.1.example.org/x", false), ("http://127.0.0.1@example.org/x", false),
        ("http://127.0.0.+1/x", false), ("http://127.0.0/x", false), ("http://127.0.0.256/x", false),
        ("http://10.0.0.1/x", false), ("ftp://127.0.0.1/x", false), ("", false), ("/x", false), ("http://", false),
        ("https://user:word@example.org/", false),
    ])
    func containerEndpointMustBeSafe(address: String, isSafe: Bool) {
        #expect(ContainerCredentials.isSafe(address) == isSafe)
    }

    @Test(arguments: [
        ([:], "http://169.254.169.254"), (["AWS_EC2_METADATA_DISABLED": "TRUE"], nil),
        (["AWS_EC2_METADATA_DISABLED": "false"], "http://169.254.169.254"),
        (["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"], "http://[fd00:ec2::254]"),
        (["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/"], "http://127.0.0.1:1"),
    ])
    func variablesSetTheMetadataService(variables: [String: String], origin: String?) {
        #expect(InstanceCredentials.origin(AWSEnvironment(variables)) == origin)
    }

    @Test(arguments: [
        ([:], nil, "https://sts.amazonaws.com"), ([:], "eu-west-1", "https://sts.eu-west-1.amazonaws.com"),
        (["AWS_REGION": "cn-north-1"], "eu-west-1", "https://sts.cn-north-1.amazonaws.com.cn"),
        (["AWS_DEFAULT_REGION": "us-west-2"], nil, "https://sts.us-west-2.amazonaws.com"),
        (["AWS_REGION": "evil.example.org/"], nil, "https://sts.amazonaws.com"),
        (["AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1/", "AWS_REGION": "r"], nil, "http://127.0.0.1:1"),
    ])
    func theTokenServiceIsThatOfTheRegion(variables: [String: String], region: String?, origin: String) {
        #expect(SecurityTokenService(environment: AWSEnvironment(variables), region: region).origin == origin)
    }

    @Test func regionDefaultsToTheEndpoints() throws {
        let region = { (endpoint: String?, given: String?) throws in
            try S3Configuration(bucket: "bucket", endpoint: endpoint, region: given, usualRegion: "eu-south-1").region
        }
        #expect(try region(nil, nil) == "eu-south-1")
        #expect(try region(nil, "eu-west-1") == "eu-west-1")
        #expect(try region("https://s3.eu-west-3.amazonaws.com", nil) == "eu-west-3")
        #expect(try region("http://127.0.0.1:9000", nil) == "eu-south-1")
        #expect(try region("https://abc.r2.cloudflarestorage.com", nil) == "auto")
    }
}

/// An answer of the security token service.
func assumedRole(id: String, token: String, expiration: String = "2044-11-06T08:49:37Z") -> String {
    """
    <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult>
        <SubjectFromWebIdentityToken>system:serviceaccount:site:gateway</SubjectFromWebIdentityToken>
        <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
        <Credentials>
          <AccessKeyId>\(id)</AccessKeyId>
          <SecretAccessKey>secret of the role</SecretAccessKey>
          <SessionToken>\(token)</SessionToken>
          <Expiration>\(expiration)</Expiration>
        </Credentials>
      </AssumeRoleWithWebIdentityResult>
      <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
    </AssumeRoleWithWebIdentityResponse>
    """
}

/// A refusal of the security token service.
func tokenServiceError(_ code: String, message: String = "m") -> String {
    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>\(code)</Code>"
        + "<Message>\(message)</Message></Error><RequestId>r</RequestId></ErrorResponse>"
}
