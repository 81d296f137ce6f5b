/**
 * What programs need beside their libraries, as data: a sign in an ELF file, and the files that it calls for. Files that the root does not have
 * are passed over, as the program finds none in the full root either.
 */

export interface DataRule {
  readonly name: string;
  /** One of these has to hold; none: the rule belongs to presets only. */
  readonly when?: {
    /** A library of that name is there. */
    readonly soname?: RegExp;
    /** The file calls one of these functions. */
    readonly imports?: readonly string[];
  };
  /** Paths with all that is below them, or globs. */
  readonly take: readonly string[];
  /** Taken unless the path exists. */
  readonly unless?: { readonly path: string; readonly take: readonly string[] };
  /** Libraries that the file opens by name while it runs. */
  readonly libraries?: readonly string[];
  /** Follows the file's path: "/usr/bin/curl checks certificates". */
  readonly text: string;
}

const LOOKUPS = [
  "getaddrinfo",
  "getnameinfo",
  "gethostbyname",
  "gethostbyname_r",
  "gethostbyname2",
  "gethostbyname2_r",
  "gethostbyaddr",
  "gethostbyaddr_r",
];
const USERS = [
  "getpwnam",
  "getpwnam_r",
  "getpwuid",
  "getpwuid_r",
  "getgrnam",
  "getgrnam_r",
  "getgrgid",
  "getgrgid_r",
  "getgrouplist",
  "initgroups",
];

export const TABLE: readonly DataRule[] = [
  {
    name: "cancel",
    when: { soname: /^libc\.so\.6$/ },
    take: [],
    libraries: ["libgcc_s.so.1"],
    text: "loads it when a thread is cancelled",
  },
  {
    name: "idn",
    when: { imports: ["getaddrinfo"] },
    take: [],
    libraries: ["libidn2.so.0"],
    text: "looks up names; the C library loads it for names beyond ASCII",
  },
  {
    name: "names",
    when: { imports: LOOKUPS },
    take: ["/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"],
    text: "looks up names of hosts",
  },
  { name: "users", when: { imports: USERS }, take: ["/etc/nsswitch.conf"], text: "looks up users or groups" },
  {
    name: "services",
    when: {
      imports: ["getaddrinfo", "getservbyname", "getservbyname_r", "getservbyport", "getservbyport_r", "getnameinfo"],
    },
    take: ["/etc/services"],
    text: "looks up services",
  },
  {
    name: "protocols",
    when: { imports: ["getprotobyname", "getprotobyname_r", "getprotobynumber", "getprotobynumber_r"] },
    take: ["/etc/protocols"],
    text: "looks up protocols",
  },
  {
    name: "ca-certificates",
    when: { soname: /^lib(ssl|gnutls|nss3|mbedtls|wolfssl|rustls)[.-]/ },
    take: [
      "/etc/ssl/certs/ca-certificates.crt",
      "/usr/lib/ssl/cert.pem",
      "/etc/ssl/cert.pem",
      "/etc/pki/tls/certs/ca-bundle.crt",
      "/etc/pki/tls/cert.pem",
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
      "/etc/ssl/ca-bundle.pem",
    ],
    // OpenSSL of Debian 12 before its bundle had a link: it looks certificates up by hash.
    unless: { path: "/usr/lib/ssl/cert.pem", take: ["/usr/lib/ssl/certs", "/etc/ssl/certs"] },
    text: "checks certificates",
  },
  {
    name: "openssl",
    when: { soname: /^libcrypto\.so\./ },
    take: [
      "/usr/lib/ssl/openssl.cnf",
      "/etc/ssl/openssl.cnf",
      "/etc/pki/tls/openssl.cnf",
      "/etc/crypto-policies/back-ends/opensslcnf.config",
      "/usr/lib/*/ossl-modules/*.so",
      "/usr/lib/ossl-modules/*.so",
      "/usr/lib64/ossl-modules/*.so",
    ],
    text: "reads its configuration, and loads providers of algorithms",
  },
  {
    name: "time-zone",
    when: { imports: ["localtime", "localtime_r", "tzset", "mktime", "__localtime64_r", "__mktime64"] },
    take: ["/etc/localtime", "/etc/timezone"],
    text: "tells local time",
  },
  {
    name: "locale",
    when: { imports: ["setlocale", "newlocale"] },
    take: ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"],
    text: "sets a locale",
  },
  {
    name: "character-sets",
    when: { imports: ["iconv_open"] },
    take: [
      "/usr/lib/*/gconv/gconv-modules*",
      "/usr/lib/*/gconv/gconv-modules.d",
      "/usr/lib/*/gconv/{UNICODE,UTF-7,UTF-16,UTF-32,ISO8859-1,ISO8859-15,CP1252,ANSI_X3.110}.so",
      "/usr/lib64/gconv/gconv-modules*",
      "/usr/lib64/gconv/{UNICODE,UTF-7,UTF-16,UTF-32,ISO8859-1,ISO8859-15,CP1252,ANSI_X3.110}.so",
    ],
    text: "converts character sets",
  },
  {
    name: "terminal",
    when: { soname: /^lib(tinfo|ncurses|ncursesw|termcap|slang)\.so/ },
    take: [
      "/lib/terminfo",
      "/etc/terminfo",
      "/usr/share/terminfo/{a/ansi,d/dumb,l/linux,r/rxvt*,s/screen*,t/tmux*,v/vt100,v/vt102,v/vt220,x/xterm*}",
      "/usr/share/terminfo/{61/ansi,64/dumb,6c/linux,73/screen*,74/tmux*,76/vt100,78/xterm*}",
    ],
    text: "draws on terminals",
  },
  { name: "readline", when: { soname: /^libreadline\.so/ }, take: ["/etc/inputrc"], text: "edits lines" },
  { name: "media-types", when: {}, take: ["/etc/mime.types"], text: "tells the media types of files" },
  {
    name: "magic",
    when: { soname: /^libmagic\.so/ },
    take: ["/usr/lib/file/magic.mgc", "/usr/share/misc/magic.mgc", "/etc/magic"],
    text: "tells the types of files",
  },
  {
    name: "keyboard-maps",
    when: { soname: /^libxkbcommon\.so/ },
    take: ["/usr/share/X11/xkb"],
    text: "reads keyboard maps",
  },
  {
    name: "fonts",
    when: { soname: /^libfontconfig\.so/ },
    take: ["/etc/fonts", "/usr/share/fontconfig"],
    text: "looks for fonts",
  },
  {
    name: "kerberos",
    when: { soname: /^libkrb5\.so/ },
    take: ["/etc/krb5.conf"],
    text: "reads the configuration of Kerberos",
  },
];
